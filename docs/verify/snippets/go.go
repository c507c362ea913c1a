// go get github.com/standard-webhooks/standard-webhooks/libraries@v0.0.1
package main

import (
	"io"
	"log"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	secret := os.Getenv("SYNCHUB_WEBHOOK_SECRET")
	webhook, err := standardwebhooks.NewWebhook(secret)
	if err != nil || secret == "" {
		log.Fatal("SYNCHUB_WEBHOOK_SECRET is missing or malformed")
	}
	http.HandleFunc("POST /hooks", func(w http.ResponseWriter, r *http.Request) {
		// The bytes as they arrived: verify first, parse afterwards.
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil || webhook.Verify(body, r.Header) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		// Delivery is at least once: remember webhook-id, and skip a request whose id you have seen.
		w.WriteHeader(http.StatusNoContent)
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:8000", nil))
}
