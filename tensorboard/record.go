package tensorboard

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends data as TensorFlow frames it in a file: its length in eight bytes, a checksum of these, the data and a
// checksum of the data, all little-endian.
func appendRecord(b, data []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, checksum(b[start:]))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, checksum(data))
}

// checksum is CRC32C, rotated and shifted by a constant so that the checksum of data that contain checksums is a good one, too.
func checksum(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// An eventFile is a file of records that grows.
type eventFile struct {
	Name string // in its folder; "" before the first record
	Size int64  // of what has been written
}

// prefix begins the name of a file, by which TensorBoard knows it. Time, host, process and number follow, as in TensorFlow's: it
// reads the files of a folder in the order of their names.
const prefix = "events.out.tfevents."

// check says whether f, of a backup, can be a file of this package in its folder.
func (f eventFile) check() error {
	if f.Name != "" && (filepath.Base(f.Name) != f.Name || !strings.HasPrefix(f.Name, prefix)) || f.Size < 0 {
		return fmt.Errorf("the backup names a file %q of %d bytes", f.Name, f.Size)
	}
	return nil
}

var filesMade atomic.Int64 // by this process: two of a second have different names

// append writes records behind those that are there. What the file has beyond them is of a training that was killed.
func (f *eventFile) append(folder string, records []byte) (err error) {
	path := filepath.Join(folder, f.Name)
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	info, err := w.Stat()
	if err != nil {
		return err
	}
	if info.Size() < f.Size {
		return fmt.Errorf("%s has %d bytes, %d were written", path, info.Size(), f.Size)
	}
	if err := w.Truncate(f.Size); err != nil {
		return err
	}
	if _, err := w.WriteAt(records, f.Size); err != nil {
		return err
	}
	f.Size += int64(len(records))
	return nil
}

// create makes an empty file.
func (f *eventFile) create(folder string) error {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "localhost"
	}
	name := fmt.Sprintf("%s%010d.%s.%d.%d.v2", prefix, time.Now().Unix(), host, os.Getpid(), filesMade.Add(1))
	w, err := os.OpenFile(filepath.Join(folder, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	*f = eventFile{Name: name}
	return w.Close()
}
