"""PostgreSQL through psycopg. Imported only for a postgresql:// URL: the extra `postgres` brings the driver."""
