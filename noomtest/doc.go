// Package noomtest is a test kit.
package noomtest
