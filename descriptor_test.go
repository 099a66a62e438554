package noom
