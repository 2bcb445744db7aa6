// Package newfile writes files that are complete or not there at all.
package newfile

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
)

// Write makes a file of what write writes. The file is complete or not there at all: what is written goes to a temporary file,
// .espalier-*.tmp in the same folder, which then gets the name path and replaces a regular file of that name. After an error before
// that the old file is as it was and the temporary one is removed; a process that is killed may leave the latter behind. When Write
// returns nil, the file outlasts a loss of power; the one error after the change of names is that the system does not promise this.
//
// It looks as if the old file had been written to: a symbolic link stays, and the file that it leads to is replaced; the
// mode stays, and so do owner and group where the process may set them. But other hard links to the old file keep the old
// content. A new file has mode 0666 before the umask.
func Write(path string, write func(io.Writer) (int64, error)) error {
	path, err := follow(path)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o666)
	old, err := os.Stat(path)
	if err == nil {
		if mode = old.Mode(); !mode.IsRegular() {
			return fmt.Errorf("is not a regular file but %s", mode)
		}
	} else {
		old = nil
	}
	folder, _ := filepath.Split(path) // unlike Dir it leaves folder/../ alone, which means something else where folder is a link
	temporary := folder + fmt.Sprintf(".espalier-%016x.tmp", rand.Uint64())
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode.Perm())
	if err != nil {
		return err
	}
	if old != nil {
		err = keep(f, old)
	}
	if err == nil {
		_, err = write(f)
	}
	if err == nil {
		err = syncFile(f)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncFolder(cmp.Or(folder, "."))
}

// syncFile is a variable so that a test can see that nothing is renamed before it is safe.
var syncFile = (*os.File).Sync

// keep gives f the owner and mode of an old file. The umask has taken bits from the mode, and a new owner may.
func keep(f *os.File, old fs.FileInfo) error {
	keepOwner(f, old)
	now, err := f.Stat()
	if err == nil && now.Mode().Perm() != old.Mode().Perm() { // some file systems know one mode and no change
		err = f.Chmod(old.Mode().Perm())
	}
	return err
}

// follow returns what a path leads to if it is a symbolic link, even to what is not there yet.
func follow(path string) (string, error) {
	for range 40 { // as many as Linux follows
		target, err := os.Readlink(path)
		if err != nil { // no link
			return path, nil
		}
		if !filepath.IsAbs(target) {
			folder, _ := filepath.Split(path)
			target = folder + target
		}
		path = target
	}
	return "", errors.New("too many symbolic links")
}

// syncFolder makes a rename last through a loss of power.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" { // cannot sync folders
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(syncFile(f), f.Close())
}
