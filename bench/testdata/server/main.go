// Command server answers one request, its own, and ends.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hello/{name}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\n", r.PathValue("name"))
	})
	go http.Serve(l, mux)
	answer, err := http.Get(fmt.Sprintf("http://%s/hello/world", l.Addr()))
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || string(text) != "hello world\n" {
		log.Fatalf("the answer is %s, %q: %v", answer.Status, text, err)
	}
	fmt.Print(string(text))
}
