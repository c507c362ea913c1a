// Gradle: implementation("com.standardwebhooks:standardwebhooks:1.1.1")
import static java.nio.charset.StandardCharsets.UTF_8;

import com.standardwebhooks.Webhook;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.net.http.HttpHeaders;
import java.util.concurrent.Executors;

class Webhooks {
    public static void main(String[] args) throws Exception {
        var webhook = new Webhook(System.getenv("SYNCHUB_WEBHOOK_SECRET"));
        var server = HttpServer.create(new InetSocketAddress("127.0.0.1", 8000), 0);
        server.createContext("/hooks", exchange -> {
            // The bytes as they arrived: verify first, parse afterwards.
            var body = new String(exchange.getRequestBody().readNBytes(1 << 20), UTF_8);
            var status = 204;
            try {
                var headers = HttpHeaders.of(exchange.getRequestHeaders(), (name, value) -> true);
                webhook.verify(body, headers);
                // Delivery is at least once: remember webhook-id, and skip an id you have seen.
            } catch (Exception refused) { // whatever it throws, malformed headers included
                status = 401;
            }
            exchange.sendResponseHeaders(status, -1);
        });
        server.setExecutor(Executors.newCachedThreadPool());
        server.start();
    }
}
