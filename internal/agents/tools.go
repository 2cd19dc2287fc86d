package agents

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"alpinevm/internal/printable"
)

// Hints about a tool.
var (
	yes, no = true, false

	looks    = &mcp.ToolAnnotations{ReadOnlyHint: true, OpenWorldHint: &no}
	adds     = &mcp.ToolAnnotations{DestructiveHint: &no, OpenWorldHint: &no}
	changes  = &mcp.ToolAnnotations{DestructiveHint: &yes, OpenWorldHint: &no}
	executes = &mcp.ToolAnnotations{DestructiveHint: &yes, OpenWorldHint: &yes}
)

// addTools gives the server's tools to it.
func (s *Server) addTools(to *mcp.Server) {
	add(to, "make_machine", "Make a machine: a PC that runs Linux for 32-bit x86 on an image, apart from the host. It takes a second or more. What it changes in its files is forgotten with it.", adds, s.bounded)
	add(to, "list_machines", "List the machines and snapshots that there are.", looks, s.listMachines)
	add(to, "exec", "Run a command in a machine and wait for its end. What it leaves running in the background goes on. A command that does not end in its time is ended, with what it has started.", executes, s.exec)
	add(to, "read_file", "Read a file of a machine, or a part of it.", looks, s.readFile)
	add(to, "write_file", "Make a file of a machine hold something. What it held is gone.", changes, s.writeFile)
	add(to, "list_folder", "List a folder of a machine.", looks, s.listFolder)
	add(to, "take_snapshot", "Keep a machine as it is: its memory, its programs that run, and its files. It goes on.", adds, s.takeSnapshot)
	add(to, "restore_snapshot", "Make a machine of a snapshot, which goes on from there beside the one that it was taken of. Its connections are lost.", adds, s.restoreSnapshot)
	add(to, "destroy_machine", "Switch a machine off. All that was not read from it is gone.", changes, s.destroyMachine)
	add(to, "destroy_snapshot", "Forget a snapshot.", changes, s.destroySnapshot)
}

// bounded is makeMachine within the time of a request.
func (s *Server) bounded(ctx context.Context, in makeInput) (made, error) {
	ctx, cancel, err := s.request(ctx, 0)
	if err != nil {
		return made{}, err
	}
	defer cancel()
	return s.makeMachine(ctx, in)
}

// add adds a tool. An error is a result of it; how far a command has come in its time
// is told beside that.
func add[In, Out any](to *mcp.Server, name, about string, hints *mcp.ToolAnnotations, do func(context.Context, In) (Out, error)) {
	mcp.AddTool(to, &mcp.Tool{Name: name, Description: about, Annotations: hints}, func(ctx context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, Out, error) {
		out, err := do(ctx, in)
		if err == nil {
			return nil, out, nil
		}
		sentence := printable.Text(err.Error())
		e, ok := any(out).(execOutput)
		if !ok || !e.TimedOut {
			return nil, out, errors.New(sentence)
		}
		b, err := json.Marshal(e)
		if err != nil {
			panic("BUG: " + err.Error())
		}
		return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: sentence}, &mcp.TextContent{Text: string(b)}}}, out, nil
	})
}

// instructions tell a client what it has got.
func (s *Server) instructions() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Machines that run Linux for 32-bit x86, apart from the host. Make one with make_machine, run commands in it with exec. "+
		"There can be %d machines at a time, each with up to %d MiB of memory, for up to %s, and %d snapshots. A request takes up to %s; an output of a command, or a file, has up to %d bytes in one answer.",
		s.Machines, s.Memory>>20, s.Life, s.Snapshots, s.Time, s.Output)
	switch {
	case s.AnyImage:
		b.WriteString(" Any container image can be named.")
	case len(s.Images) > 0:
		fmt.Fprintf(&b, " Images: %s.", strings.Join(s.Images, ", "))
	}
	if !s.Network {
		b.WriteString(" Machines have no network.")
	}
	if len(s.Shares) > 0 {
		fmt.Fprintf(&b, " Shared with the host: %s.", s.shareNames())
	}
	return b.String()
}
