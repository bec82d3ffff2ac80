package main

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// writeIn writes the tar that the guest unpacks: meta/ for recipe/run, in/ for
// the command. Its length is a multiple of a drive's 512-byte sector.
func writeIn(w io.Writer, opt options, env []string) error {
	tw := tar.NewWriter(w)
	ports := make([]string, 0, len(opt.forwards))
	for _, f := range opt.forwards {
		ports = append(ports, strconv.Itoa(f.guestPort))
	}
	meta := map[string]string{"argv": lines0(opt.argv), "env": lines0(env), "ports": lines0(ports)}
	if opt.shell {
		meta["shell"] = fmt.Sprintf("rows %d cols %d\n", opt.rows, opt.cols)
	}
	for name, wanted := range map[string]bool{"swap": opt.swap > 0, "out": opt.out != ""} {
		if wanted {
			meta[name] = ""
		}
	}
	for _, dir := range []string{"meta/", "in/"} {
		if err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755}); err != nil {
			return fmt.Errorf("hand in: %w", err)
		}
	}
	for name, content := range meta {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: "meta/" + name, Mode: 0o644, Size: int64(len(content))}
		if err := tw.WriteHeader(header); err != nil {
			return fmt.Errorf("hand in: %w", err)
		}
		if _, err := io.WriteString(tw, content); err != nil {
			return fmt.Errorf("hand in: %w", err)
		}
	}
	for _, spec := range opt.in {
		source, name, err := splitIn(spec)
		if err != nil {
			return err
		}
		if err := addTree(tw, source, path.Join("in", name)); err != nil {
			return fmt.Errorf("hand in %s: %w", source, err)
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("hand in: %w", err)
	}
	return nil
}

// splitIn takes PATH or PATH:NAME apart. NAME is where it goes below
// $GUEST_IN: the base name by default, "." for a directory's own contents.
func splitIn(spec string) (source, name string, err error) {
	source, name, named := strings.Cut(spec, ":")
	if !named {
		absolute, err := filepath.Abs(source)
		if err != nil {
			return "", "", fmt.Errorf("hand in %s: %w", source, err)
		}
		name = filepath.Base(absolute)
	}
	if source == "" || !filepath.IsLocal(name) {
		return "", "", fmt.Errorf("--in %q: want PATH or PATH:NAME with a relative NAME", spec)
	}
	return source, name, nil
}

// addTree adds a file or a directory with all below it: files, directories and
// symbolic links, owned by root.
func addTree(tw *tar.Writer, source, name string) error {
	return filepath.WalkDir(source, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		var info fs.FileInfo
		if below == "." {
			info, err = os.Stat(file) // what is named may itself be a link
		} else {
			info, err = entry.Info()
		}
		if err != nil {
			return err
		}
		return addOne(tw, file, path.Join(name, filepath.ToSlash(below)), info)
	})
}

func addOne(tw *tar.Writer, file, name string, info fs.FileInfo) error {
	link := ""
	switch {
	case info.Mode().IsRegular(), info.IsDir():
	case info.Mode()&fs.ModeSymlink != 0:
		var err error
		if link, err = os.Readlink(file); err != nil {
			return err
		}
	default:
		return nil // sockets, pipes and devices mean nothing in the guest
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name = name
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "root", "root"
	if err := tw.WriteHeader(header); err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // opened for reading
	_, err = io.Copy(tw, f)
	return err
}

// lines0 ends each item with NUL, as bash's mapfile -d ” reads them.
func lines0(items []string) string {
	var b strings.Builder
	for _, item := range items {
		b.WriteString(item)
		b.WriteByte(0)
	}
	return b.String()
}
