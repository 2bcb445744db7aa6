//go:build unix

package newfile

import (
	"io/fs"
	"os"
	"syscall"
)

// keepOwner gives f the owner and the group of an old file as far as the process may: only root gives files away.
func keepOwner(f *os.File, old fs.FileInfo) {
	if s, ok := old.Sys().(*syscall.Stat_t); ok && f.Chown(int(s.Uid), int(s.Gid)) != nil {
		_ = f.Chown(-1, int(s.Gid))
	}
}
