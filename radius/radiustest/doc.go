// Package radiustest holds what tests of a RADIUS server need: a [NAS] that logs
// users in and answers challenges, and a [Network] in memory that loses,
// duplicates, delays and reorders datagrams. Both work inside a
// testing/synctest bubble, where a push of a minute takes no time.
package radiustest
