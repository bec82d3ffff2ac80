// Package api is memsupd's face: REST over a unix socket and over TCP on the
// loopback interface, as api/openapi.yaml describes it.
//
// Whoever reaches a socket may read. Whatever changes something needs an
// identity that the kernel vouches for: the peer's credentials on the unix
// socket, the owner of the connecting socket on loopback TCP. A browser brings
// no such authority along: the Host of a request over TCP must be this host, and
// a request that another site caused changes nothing.
package api
