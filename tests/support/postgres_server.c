#include "tests/support/postgres_server.h"

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "base/mem.h"
#include "base/str.h"

#define PROGRAMS      "/usr/lib/postgresql/*/bin"
#define TEXT_MAX      256
#define START_TRIES   3000
#define START_STEP_MS 10

struct postgres_server {
	char programs[TEXT_MAX];
	char directory[TEXT_MAX];
	char data[TEXT_MAX + 8];
	char connection[TEXT_MAX + 64];
	uid_t uid; /* of the server */
	gid_t gid;
	pid_t pid;
};

static void check(bool is_fine, const char *what)
{
	if (is_fine)
		return;
	(void)fprintf(stderr, "postgres_server: %s\n", what); /* nothing else can be done */
	abort();
}

/* The directory of the newest version's programs. */
static bool find_programs(char programs[TEXT_MAX])
{
	glob_t found;
	int newest = -1;

	if (glob(PROGRAMS, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++) {
			int version = 0;

			if (sscanf(found.gl_pathv[i], "/usr/lib/postgresql/%d", &version) == 1 &&
			    version > newest) {
				newest = version;
				(void)snprintf(programs, TEXT_MAX, "%s", found.gl_pathv[i]);
			}
		}
	}
	globfree(&found);
	return newest >= 0;
}

bool postgres_server_is_installed(void)
{
	char programs[TEXT_MAX];
	char path[TEXT_MAX + 16];

	if (!find_programs(programs))
		return false;
	(void)snprintf(path, sizeof(path), "%s/postgres", programs);
	return access(path, X_OK) == 0;
}

/* In the child: only calls that are safe between fork and exec. */
static void become_server(const struct postgres_server *s, pid_t parent, const char *path,
			  char *const *arguments)
{
	int out = open("/dev/null", O_RDWR);

	if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(s->gid) < 0 || setuid(s->uid) < 0))
		_exit(126);
	/* After setuid(), which clears it. A fast end, and none of its processes stays. */
	if (prctl(PR_SET_PDEATHSIG, SIGQUIT) < 0 || getppid() != parent || chdir("/") < 0)
		_exit(126);
	(void)dup2(out, 0); /* if not, the server writes into the test's output */
	(void)dup2(out, 1);
	(void)dup2(out, 2);
	(void)execv(path, arguments);
	_exit(127);
}

static pid_t spawn(const struct postgres_server *s, const char *program, char *const *arguments)
{
	char path[TEXT_MAX + 16];
	pid_t parent = getpid();
	pid_t pid;

	(void)snprintf(path, sizeof(path), "%s/%s", s->programs, program);
	pid = fork();
	check(pid >= 0, "fork failed");
	if (pid == 0)
		become_server(s, parent, path, arguments);
	return pid;
}

static int wait_for_end(pid_t pid)
{
	int status = 0;

	check(waitpid(pid, &status, 0) == pid, "waitpid failed");
	return status;
}

static void make_directory(struct postgres_server *s)
{
	(void)snprintf(s->directory, sizeof(s->directory), "/tmp/pomerium-postgres-XXXXXX");
	check(mkdtemp(s->directory), "no temporary directory");
	(void)snprintf(s->data, sizeof(s->data), "%s/data", s->directory);
	(void)snprintf(s->connection, sizeof(s->connection),
		       "host=%s user=postgres dbname=postgres", s->directory);
	if (geteuid() == 0) {
		const struct passwd *account = getpwnam("postgres");

		check(account, "there is no user postgres to run the server");
		s->uid = account->pw_uid;
		s->gid = account->pw_gid;
		check(chown(s->directory, s->uid, s->gid) == 0, "chown failed");
	}
}

/* One role has to say its password. */
static void write_access_rules(const struct postgres_server *s)
{
	char path[TEXT_MAX + 32];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/pg_hba.conf", s->data);
	file = fopen(path, "we");
	check(file, "pg_hba.conf cannot be written");
	(void)fputs("local all locked scram-sha-256\nlocal all all trust\n", file);
	check(fclose(file) == 0, "pg_hba.conf cannot be written");
}

static void make_cluster(const struct postgres_server *s)
{
	char *const arguments[] = {
		mem_copy_string("initdb"),
		mem_copy_string("-D"),
		mem_copy_string(s->data),
		mem_copy_string("-Upostgres"),
		mem_copy_string("-Atrust"),
		mem_copy_string("--no-sync"),
		mem_copy_string("-EUTF8"),
		mem_copy_string("--locale=C"),
		mem_copy_string("--no-instructions"),
		NULL,
	};

	check(wait_for_end(spawn(s, "initdb", arguments)) == 0, "initdb failed");
	for (size_t i = 0; arguments[i]; i++)
		mem_free(arguments[i]);
	write_access_rules(s);
}

static void wait_until_ready(const struct postgres_server *s)
{
	for (int i = 0; i < START_TRIES; i++) {
		if (PQping(s->connection) == PQPING_OK)
			return;
		check(waitpid(s->pid, NULL, WNOHANG) == 0, "the server ended");
		(void)poll(NULL, 0, START_STEP_MS); /* it says nothing when it is ready */
	}
	check(false, "the server does not become ready");
}

void postgres_server_start(struct postgres_server *s)
{
	char *const arguments[] = {
		mem_copy_string("postgres"),
		mem_copy_string("-D"),
		mem_copy_string(s->data),
		mem_copy_string("-k"),
		mem_copy_string(s->directory),
		mem_copy_string("-F"),
		mem_copy_string("--listen_addresses="),
		mem_copy_string("--shared_buffers=16MB"),
		mem_copy_string("--max_connections=40"),
		NULL,
	};

	check(!s->pid, "the server runs already");
	s->pid = spawn(s, "postgres", arguments);
	for (size_t i = 0; arguments[i]; i++)
		mem_free(arguments[i]);
	wait_until_ready(s);
}

static void stop(struct postgres_server *s, int signal)
{
	if (!s->pid)
		return;
	(void)kill(s->pid, signal); /* it may have ended */
	(void)wait_for_end(s->pid);
	s->pid = 0;
}

void postgres_server_crash(struct postgres_server *s)
{
	stop(s, SIGQUIT);
}

struct postgres_server *postgres_server_new(void)
{
	struct postgres_server *s = mem_alloc(sizeof(*s));

	check(find_programs(s->programs), "PostgreSQL is not installed");
	make_directory(s);
	make_cluster(s);
	postgres_server_start(s);
	(void)postgres_server_run(s, "CREATE ROLE locked LOGIN PASSWORD 'correct-password'");
	return s;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
	return remove(path);
}

void postgres_server_free(struct postgres_server *s)
{
	if (!s)
		return;
	stop(s, SIGINT);
	(void)nftw(s->directory, remove_one, 16,
		   FTW_DEPTH | FTW_PHYS); /* what is left harms nobody */
	mem_free(s);
}

const char *postgres_server_connection(const struct postgres_server *s)
{
	return s->connection;
}

const char *postgres_server_directory(const struct postgres_server *s)
{
	return s->directory;
}

static void ignore_notice(void *arg, const PGresult *result)
{
}

long postgres_server_run(struct postgres_server *s, const char *sql)
{
	PGconn *conn = PQconnectdb(s->connection);
	PGresult *result;
	long number = 0;

	check(PQstatus(conn) == CONNECTION_OK, PQerrorMessage(conn));
	(void)PQsetNoticeReceiver(conn, ignore_notice, NULL); /* "does not exist, skipping" */
	result = PQexec(conn, sql);
	check(PQresultStatus(result) == PGRES_COMMAND_OK ||
		      PQresultStatus(result) == PGRES_TUPLES_OK,
	      PQerrorMessage(conn));
	if (PQntuples(result) > 0)
		number = strtol(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	PQfinish(conn);
	return number;
}
