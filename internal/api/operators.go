package api

import (
	"errors"
	"fmt"
	"net/http"
	"os/user"
	"slices"
	"strconv"
)

// operatorGroup is the group whose members may change something.
const operatorGroup = "memsup"

// Accounts knows the users of a host.
type Accounts interface {
	// Account returns the name of a user, "" for one without, and whether the
	// user is a member of the group.
	Account(uid uint32, group string) (name string, member bool, err error)
}

// hostAccounts are the users of this host (/etc/passwd, /etc/group).
type hostAccounts struct{}

func (hostAccounts) Account(uid uint32, group string) (string, bool, error) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	var noUser user.UnknownUserIdError
	if errors.As(err, &noUser) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("look up uid %d: %w", uid, err)
	}
	g, err := user.LookupGroup(group)
	var noGroup user.UnknownGroupError
	if errors.As(err, &noGroup) {
		return u.Username, false, nil
	}
	if err != nil {
		return u.Username, false, fmt.Errorf("look up group %s: %w", group, err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return u.Username, false, fmt.Errorf("look up the groups of %s: %w", u.Username, err)
	}
	return u.Username, slices.Contains(ids, g.Gid), nil
}

// operators hands a request on when whoever makes it may change something. by
// says who: "uid 0 (root) over the unix socket".
func (s *Server) operators(do func(w http.ResponseWriter, r *http.Request, by string)) http.HandlerFunc {
	var sites http.CrossOriginProtection
	return func(w http.ResponseWriter, r *http.Request) {
		if err := sites.Check(r); err != nil {
			s.problem(w, http.StatusForbidden, "a page of another site asked for this: %v", err)
			return
		}
		p, err := s.identify(r.Context())
		if err != nil {
			s.problem(w, http.StatusForbidden,
				"memsupd cannot tell who asks (%v): use memsupctl, or curl --unix-socket /run/memsupd/memsupd.sock", err)
			return
		}
		name, member, err := s.accounts.Account(p.uid, operatorGroup)
		if p.uid != 0 && (err != nil || !member) {
			cause := ""
			if err != nil {
				cause = fmt.Sprintf(" (%v)", err)
			}
			s.problem(w, http.StatusForbidden, "%s may not do this%s: use sudo, or join the group %s: sudo usermod -aG %s USER",
				who(p.uid, name), cause, operatorGroup, operatorGroup)
			return
		}
		do(w, r, who(p.uid, name)+" "+p.via)
	}
}

func who(uid uint32, name string) string {
	if name == "" {
		return fmt.Sprintf("uid %d", uid)
	}
	return fmt.Sprintf("uid %d (%s)", uid, name)
}
