// Package services tests the five Node services of testdata/services, as real
// processes on loopback: that each does what its name says, that it ends gracefully,
// and that the knobs which make it misbehave do as much as they were told. What is
// seen of memsupd beside them is worth no more than they are.
package services
