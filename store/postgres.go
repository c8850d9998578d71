package store

import (
	"context"
	"errors"
)

func openPostgres(context.Context, Config, bool) (backend, error) {
	return nil, errors.New("database: this build of the bot has no Postgres; name a file such as rootcheck.db")
}
