package guard

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"sync"

	"github.com/wesendall/wesendall-mcp/client"
)

// flakyProxy is a TCP proxy between a ledger and its database, which a test can cut.
type flakyProxy struct {
	net.Listener
	target string

	mu        sync.Mutex
	connected bool
	conns     map[net.Conn]bool
	onCommit  func(client, server net.Conn, message []byte) // handles the next commit instead of the proxy
}

// useFlakyProxy puts a proxy between the environment's ledger and its database.
func (env *testEnv) useFlakyProxy() *flakyProxy {
	env.Helper()
	u, err := url.Parse(env.ledgerSource)
	if err != nil {
		env.Fatal(err)
	}
	proxy := &flakyProxy{target: u.Host, connected: true, conns: map[net.Conn]bool{}}
	if proxy.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		env.Fatal(err)
	}
	env.Cleanup(func() { _ = proxy.Close(); proxy.disconnect() })
	u.Host = proxy.Addr().String()
	env.ledgerSource = u.String()
	go func() {
		for {
			conn, err := proxy.Accept()
			if err != nil {
				return
			}
			go proxy.connect(conn)
		}
	}()
	return proxy
}

func (proxy *flakyProxy) connect(client net.Conn) {
	server, err := net.Dial("tcp", proxy.target)
	if err != nil {
		reset(client)
		return
	}
	proxy.mu.Lock()
	connected := proxy.connected
	if connected {
		proxy.conns[client], proxy.conns[server] = true, true
	}
	proxy.mu.Unlock()
	if !connected {
		reset(client)
		reset(server)
		return
	}
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	message := make([]byte, 1<<16)
	for {
		n, err := client.Read(message)
		if err != nil {
			_ = server.Close()
			return
		}
		if bytes.Contains(message[:n], []byte("commit\x00")) {
			proxy.mu.Lock()
			onCommit := proxy.onCommit
			proxy.onCommit = nil
			proxy.mu.Unlock()
			if onCommit != nil {
				onCommit(client, server, message[:n])
				return
			}
		}
		if _, err := server.Write(message[:n]); err != nil {
			_ = client.Close()
			return
		}
	}
}

// disconnect resets all connections, and those that are made until reconnect.
func (proxy *flakyProxy) disconnect() {
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	proxy.connected = false
	for conn := range proxy.conns {
		reset(conn)
	}
	clear(proxy.conns)
}

func (proxy *flakyProxy) reconnect() {
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	proxy.connected = true
}

// hookAPI calls a function before the request of a send and one after its answer,
// where they are set.
type hookAPI struct {
	API
	before, after func()
}

func (a hookAPI) Send(ctx context.Context, r client.SendRequest) (*client.Response, error) {
	if a.before != nil {
		a.before()
	}
	if a.after != nil {
		defer a.after()
	}
	return a.API.Send(ctx, r)
}
