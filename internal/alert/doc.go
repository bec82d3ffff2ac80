// Package alert keeps the alerts of one service: a rule begins to hold, its
// alert fires once; the rule stops holding, the alert resolves. It is pure:
// time arrives as an argument and nothing is read or sent.
package alert
