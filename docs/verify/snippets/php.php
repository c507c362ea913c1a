<?php
// composer require standard-webhooks/standard-webhooks:1.0.2
require __DIR__ . '/vendor/autoload.php';

ini_set('display_errors', '0'); // a warning that is shown would be sent before the status
$name = 'SYNCHUB_WEBHOOK_SECRET';
$secret = getenv($name) ?: throw new RuntimeException("$name is not set");
$webhook = new \StandardWebhooks\Webhook($secret);

$body = file_get_contents('php://input'); // as it arrived: verify first, parse afterwards
$headers = array_change_key_case(getallheaders(), CASE_LOWER);
try {
    $event = $webhook->verify($body, $headers);
} catch (\Throwable $refused) { // malformed headers can be an Error, which is no Exception
    http_response_code(401);
    exit;
}
// Delivery is at least once: remember webhook-id, and skip a request whose id you have seen.
error_log("received {$headers['webhook-id']} {$event['type']}");
http_response_code(204);
