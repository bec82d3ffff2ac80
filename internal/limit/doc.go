// Package limit holds memory limits as values.
//
// A limit has three kinds of value that must never be confused: absent (the
// kernel file does not exist, or the configuration says nothing), "max" (no
// limit) and a number of bytes, of which 0 is an ordinary one (MemorySwapMax=0
// forbids swap). The zero Value is absent, so a forgotten field can never read
// as "limited to nothing".
//
// The package is pure: it reads no file and knows neither the kernel nor
// systemd beyond their notations.
package limit
