// Package client is the other end of memsupd's API (api/openapi.yaml), for
// memsupctl.
//
// It is bounded: every request has a time limit and every answer a largest size.
// It never tries a second address: when memsupd does not answer where it was
// asked, that is the error.
package client
