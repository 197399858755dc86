#pragma once

/*
 * client.h - what every command that talks to a gateway has: the loop, TLS, the log, and an account for each gateway
 *
 * client_init() reads what the user typed and opens nothing, so that mistakes are found before anything happens (exit
 * status 2); client_open() does the rest.
 *
 * Ownership  Embedded in the command's own struct. Whatever uses accounts is closed before client_done().
 * Threads    One loop.
 */

#include "base/buf.h"
#include "base/err.h"
#include "base/list.h"
#include "cli/credentials.h"
#include "cli/destination.h"
#include "cli/end_question.h"
#include "cli/events.h"
#include "cli/exit_status.h"
#include "cli/gateway.h"
#include "cli/local_tunnel.h"
#include "cli/login.h"
#include "cli/proxy_options.h"
#include "cli/session_files.h"
#include "cli/transport.h"

struct options;
struct signals;

struct client {
	struct session_files sessions; /* of TLS */
	struct tls_config *tls;
	struct proxy_options proxies;
	struct tls_config *transport_tls; /* the same for tunnels, which may share HTTP/2 */
	enum transport_mode transport_mode;
	struct buf service_account;
	char *browser;    /* program, or NULL */
	char *cache_root; /* NULL: logins are kept in memory */
	struct events events;
	struct loop *loop; /* from here on: of an open client */
	struct resolver *resolver;
	struct signals *signals;
	struct list accounts; /* the one asked for last is at the end */
	size_t account_count;
	enum exit_status status; /* what ends the program */
	enum exit_status signal_status;
};

/* A proxy without --pomerium-url meets as many gateways as there are names; those that nobody uses are forgotten. */
#define CLIENT_ACCOUNTS_MAX 256

/* One gateway, as one user: its token and its login, for all that goes through it. */
struct account {
	struct list_node node;
	struct destination destination; /* without a target */
	struct gateway gateway;
	struct credentials credentials;
	struct login login;
	struct end_questions questions; /* of its tunnels */
	size_t users;                   /* client_tunnels() without client_tunnels_end() */
};

int client_init(struct client *client, const struct options *options, struct err *e);

/* Signals end the loop with signal_status. */
int client_open(struct client *client, enum exit_status signal_status, struct err *e);

/* Runs the loop until client_stop(); returns its status. */
enum exit_status client_run(struct client *client);
void client_stop(struct client *client, enum exit_status status);

/* Also of one that was not opened, or not even initialised. */
void client_done(struct client *client);

/*
 * The account of the destination's gateway, made when it is asked for first. It lives as long as the client, but for those
 * that nobody uses when there are CLIENT_ACCOUNTS_MAX.
 */
struct account *client_account(struct client *client, const struct destination *destination);

/* Fills in what tunnels to the destination need; the three are the caller's and live as long as its tunnels. */
struct account *client_tunnels(struct client *client, const struct destination *destination,
			       struct gateway *ret_gateway,
			       struct local_tunnel_context *ret_context);

/* They are closed, and there will be no more; who is about to end the client need not say so. NULL is ignored. */
void client_tunnels_end(struct account *account);

/* "pomerium-cli: SENTENCE" on standard error. Returns status. */
enum exit_status client_complain(enum exit_status status, const struct err *e);

/* The gateway of the argument or, if it is NULL, the one that was used last. */
int client_find_server(const struct client *client, const char *argument, struct destination *ret,
		       struct err *e);
