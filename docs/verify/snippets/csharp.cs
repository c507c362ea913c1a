// dotnet add package StandardWebhooks --version 1.1.2
using System.Text;
using StandardWebhooks;

var secret = Environment.GetEnvironmentVariable("SYNCHUB_WEBHOOK_SECRET");
if (string.IsNullOrEmpty(secret)) throw new Exception("SYNCHUB_WEBHOOK_SECRET is not set");
var webhook = new StandardWebhook(secret);
var app = WebApplication.Create(args);

app.MapPost("/hooks", async (HttpRequest request) =>
{
    using var bytes = new MemoryStream(); // as they arrived: verify first, parse afterwards
    await request.Body.CopyToAsync(bytes);
    var body = Encoding.UTF8.GetString(bytes.ToArray());
    // While a secret is rotated there are several signatures, of which this library skips the last.
    var signatures = request.Headers["webhook-signature"].ToString().Split(' ');
    if (!signatures.Any(one => Verifies(body, request.Headers, one))) return Results.Unauthorized();
    // Delivery is at least once: remember webhook-id, and skip a request whose id you have seen.
    return Results.NoContent();
});
app.Run("http://127.0.0.1:8000");

bool Verifies(string body, IHeaderDictionary headers, string signature)
{
    headers["webhook-signature"] = signature;
    try { webhook.Verify(body, headers); return true; }
    catch (Exception) { return false; } // whatever it throws, malformed headers included
}
