module github.com/hermez/sandbox/pause

go 1.24.0
