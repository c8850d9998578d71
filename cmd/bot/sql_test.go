package main

import (
	"context"
	"database/sql"
	"errors"

	_ "modernc.org/sqlite" // The driver that the store uses: whoever tampers with the file has it too.
)

// runSQL does to a database file what somebody with a shell on the machine can do.
func runSQL(ctx context.Context, file, statement string) error {
	db, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	return errors.Join(err, db.Close())
}
