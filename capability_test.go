package rootcheck_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is a package as go list describes it.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	Standard                bool
}

// use is one mention of a function, method or type in a production file.
type use struct {
	object types.Object
	in     string // the function that it stands in, as "commands.second"
	file   string // such as "commands/steps.go"
}

// uses type-checks every production package of the module against the compiled ones, so that a name says what it is
// whatever it was renamed to on the way.
func uses(t *testing.T) []use {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,Standard", "./app", "./cmd/bot").Output()
	if err != nil {
		t.Fatalf("list the production packages: %v", err)
	}
	exports, ours := map[string]string{}, []listed{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module) {
			ours = append(ours, p)
		}
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("%s is not compiled", path)
		}
		return os.Open(exports[path])
	})
	var found []use
	for _, p := range ours {
		found = append(found, usesIn(t, fset, imp, p)...)
	}
	return found
}

func usesIn(t *testing.T, fset *token.FileSet, imp types.Importer, p listed) []use {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imp}
	pkg, err := conf.Check(p.ImportPath, fset, files, info)
	if err != nil {
		t.Fatal(err)
	}
	short := strings.TrimPrefix(p.ImportPath, module)
	var found []use
	for i, f := range files {
		for _, d := range f.Decls {
			in := pkg.Name() + "." // a declaration outside of every function
			if fn, ok := d.(*ast.FuncDecl); ok {
				in = pkg.Name() + "." + fn.Name.Name
			}
			ast.Inspect(d, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && info.Uses[id] != nil {
					found = append(found, use{object: info.Uses[id], in: in, file: short + "/" + p.GoFiles[i]})
				}
				return true
			})
		}
	}
	return found
}

// named finds the uses of a function or method by its full name.
func named(all []use, name string) []use {
	return slices.DeleteFunc(slices.Clone(all), func(u use) bool {
		f, ok := u.object.(*types.Func)
		return !ok || f.FullName() != name
	})
}

func TestTheRightToChangeAWSExistsOnlyInTheGuardedStep(t *testing.T) {
	t.Parallel()
	all := uses(t)
	const guarded = "commands.second"

	t.Run("a permit is made in one place", func(t *testing.T) {
		t.Parallel()
		made := named(all, "("+module+"remediation.Attempt).Permit")
		if len(made) != 1 || made[0].in != guarded {
			t.Errorf("Attempt.Permit is reached from %v, want once from %s", places(made), guarded)
		}
	})
	t.Run("whatever takes a permit is called in one place", func(t *testing.T) {
		t.Parallel()
		var taken []use
		for _, u := range all {
			// The adapter hands the permit to its own check, and a step to its own call: both are behind Do.
			if f, ok := u.object.(*types.Func); ok && takes(f, module+"remediation.Permit") && !strings.HasPrefix(u.file, "awsroot/") {
				taken = append(taken, u)
			}
		}
		if len(taken) != 1 || taken[0].in != guarded {
			t.Errorf("a function that takes a permit is reached from %v, want once from %s", places(taken), guarded)
		}
		for _, u := range all {
			if f, ok := u.object.(*types.Func); ok && strings.HasPrefix(u.file, "awsroot/") && takes(f, module+"remediation.Permit") && u.in != "awsroot.Do" {
				t.Errorf("%s is reached from %s in %s, which is not behind Do", f.Name(), u.in, u.file)
			}
		}
	})
	t.Run("only the gates make an attempt, and only the attempt a permit", func(t *testing.T) {
		t.Parallel()
		for kind, maker := range map[string]string{"Attempt": "remediation.Start", "Permit": "remediation.Permit"} {
			for _, u := range all {
				name, ok := u.object.(*types.TypeName)
				if ok && name.Name() == kind && name.Pkg() != nil && name.Pkg().Path() == module+"remediation" && u.file == "remediation/permit.go" {
					continue // its own methods
				}
				if ok && name.Name() == kind && name.Pkg() != nil && name.Pkg().Path() == module+"remediation" &&
					strings.HasPrefix(u.file, "remediation/") && u.in != maker {
					t.Errorf("%s is named in %s (%s), want only in %s", kind, u.in, u.file, maker)
				}
			}
		}
	})
	t.Run("AWS is changed from two files", func(t *testing.T) {
		t.Parallel()
		changing := 0
		for _, u := range all {
			f, ok := u.object.(*types.Func)
			if !ok || f.Pkg() == nil || !strings.HasPrefix(f.Pkg().Path(), "github.com/aws/aws-sdk-go-v2/service/") || !operation(f) || reads(f.Name()) {
				continue
			}
			changing++
			if u.file != "awsroot/remediator.go" && u.file != "awsroot/quarantine.go" {
				t.Errorf("%s is called in %s", f.FullName(), u.file)
			}
		}
		if changing != 4 {
			t.Errorf("%d uses of operations that change something, want DeleteAccessKey, UpdateAccessKey, AttachPolicy and DetachPolicy once each", changing)
		}
	})
	t.Run("a receipt is made by the store alone", func(t *testing.T) {
		t.Parallel()
		sealed := named(all, module+"audit.Sealed")
		if len(sealed) == 0 {
			t.Fatal("nobody seals a receipt")
		}
		for _, u := range sealed {
			if !strings.HasPrefix(u.file, "store/") {
				t.Errorf("a receipt is made in %s (%s)", u.in, u.file)
			}
		}
	})
	t.Run("nothing goes around the types", func(t *testing.T) {
		t.Parallel()
		for _, u := range all {
			if p, ok := u.object.(*types.PkgName); ok && (p.Imported().Path() == "unsafe" || p.Imported().Path() == "plugin") {
				t.Errorf("%s is used in %s", p.Imported().Path(), u.file)
			}
		}
	})
}

func places(all []use) []string {
	names := make([]string, 0, len(all))
	for _, u := range all {
		names = append(names, u.in+" in "+u.file)
	}
	return names
}

// takes reports whether a function has a parameter of a named type.
func takes(f *types.Func, name string) bool {
	s, ok := f.Type().(*types.Signature)
	if !ok {
		return false
	}
	for v := range s.Params().Variables() {
		if v.Type().String() == name {
			return true
		}
	}
	return false
}

// operation reports whether a method of the SDK is a call to AWS: those of a client that take an input.
func operation(f *types.Func) bool {
	s, ok := f.Type().(*types.Signature)
	return ok && s.Recv() != nil && strings.HasSuffix(s.Recv().Type().String(), ".Client") && s.Params().Len() == 3
}

// reads reports whether an operation of AWS changes nothing. AssumeRole and AssumeRoot give credentials; what these may
// do is for the operations that they are used with. GenerateCredentialReport makes a report.
func reads(name string) bool {
	for _, verb := range []string{"Get", "List", "Describe", "Lookup", "Assume", "Generate"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return false
}
