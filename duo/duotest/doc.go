// Package duotest is a Duo service for tests and demonstrations: the Auth API,
// with users, phones and faults that a test makes up.
//
//	svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
//	client := svc.Client()
//
// is a service that knows jdoe, who has one smartphone and approves whatever it
// asks, and a client that reaches it in memory. No goroutine and no socket is
// left behind, and it works within a testing/synctest bubble, where a push that
// is answered after 42 seconds takes no time.
//
// A [Device] has an [Answer], which decides what its owner says to a push or a
// call: [Approve], [Deny], [ReportFraud], [Ignore], one of these [After] some time, or
// a function of the caller's. [Service.Break] orders faults: errors of the
// service, rubbish, delays, connections that break. [Service.Calls] and
// [Service.Transactions] tell what happened.
//
// A Service is an http.Handler too, so that httptest.NewTLSServer can serve any
// other client. It checks the signature of each request.
package duotest
