/*
 * The commands of the program, in the order of the help. The manual and the completion are made from the same rows.
 */

#include "cli/command.h"

#include "base/compiler.h"
#include "cli/options.h"

/* For whatever talks to a gateway as the user. */
#define GROUPS_OF_USER (OPTION_GROUP_TLS | OPTION_GROUP_BROWSER | OPTION_GROUP_SERVICE_ACCOUNT)

static const struct command commands[] = {
	{
		.name = "tcp",
		.usage = "DESTINATION",
		.summary = "open a TCP tunnel",
		.description =
			"Listens on a local address and carries each connection through the gateway to the\n"
			"destination. Signs in with a browser when the gateway asks for it.\n\n"
			"DESTINATION is host:port as the route is called, tcp+https://host:port, or\n"
			"tcp+https://gateway/host:port to name the gateway as well.",
		.option_groups = OPTION_GROUP_TUNNEL | OPTION_GROUP_TLS | OPTION_GROUP_BROWSER |
				 OPTION_GROUP_SERVICE_ACCOUNT,
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cmd_tcp_run,
	},
	{
		.name = "udp",
		.usage = "DESTINATION",
		.summary = "open a UDP tunnel",
		.description =
			"Listens on a local UDP address. Each address that sends packets to it gets a session of\n"
			"its own, which carries them through the gateway to the destination and the answers back.\n\n"
			"DESTINATION is host:port as the route is called, udp+https://host:port, or\n"
			"udp+https://gateway/host:port to name the gateway as well.",
		.option_groups = OPTION_GROUP_UDP | GROUPS_OF_USER,
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cmd_udp_run,
	},
	{
		.name = "connect",
		.usage = "[NAME...]",
		.summary = "open several TCP tunnels",
		.description =
			"Opens the routes that are named, or all that can be opened (--all), prints a table of their\n"
			"local addresses on standard output, and keeps them open. Connections made while the\n"
			"gateway cannot be reached wait for it, up to two minutes.\n\n"
			"A NAME is one of ~/.config/pomerium-cli/tunnels.yaml, a list of tunnels with name,\n"
			"destination and, if wanted, listen; or a route of the gateway (see routes list): its name,\n"
			"its destination, or the first label of its host. The gateway is that of --pomerium-url,\n"
			"else the one used last. A route's port is used on 127.0.0.1 if it is free.",
		.option_groups = OPTION_GROUP_SEVERAL | GROUPS_OF_USER,
		.arguments_max = OPTIONS_ARGUMENTS_MAX,
		.run = cmd_connect_run,
	},
	{
		.name = "proxy",
		.usage = "",
		.summary = "run a local HTTP and SOCKS5 proxy",
		.description =
			"Listens on one local address for programs that speak to an HTTP proxy or to a SOCKS5\n"
			"proxy. What they ask for goes through the gateway if its name is a --proxy-domain or\n"
			"ends like one, and directly otherwise. Browsers take http://127.0.0.1:3128/proxy.pac.\n\n"
			"Port 443 of a name is the gateway itself: a program that asks for it gets the route of\n"
			"port 8000. Without --pomerium-url the gateway is the host that is asked for.",
		.option_groups = OPTION_GROUP_PROXY | GROUPS_OF_USER,
		.run = cmd_proxy_run,
	},
	{
		.name = "login",
		.usage = "[GATEWAY-OR-DESTINATION]",
		.summary = "log in",
		.description =
			"Logs in at a gateway, unless that was done already, and says as whom. Whatever is\n"
			"opened through that gateway afterwards uses the login.\n\n"
			"Without an argument it is the gateway that was used last.",
		.option_groups = OPTION_GROUP_GATEWAY | OPTION_GROUP_TLS | OPTION_GROUP_BROWSER |
				 OPTION_GROUP_SERVICE_ACCOUNT,
		.arguments_max = 1,
		.run = cmd_login_run,
	},
	{
		.name = "logout",
		.usage = "[GATEWAY-OR-DESTINATION]",
		.summary = "log out",
		.description =
			"Ends the session at the gateway, with everything that is open in it, and forgets the\n"
			"login on this machine.",
		.option_groups = OPTION_GROUP_GATEWAY | OPTION_GROUP_TLS,
		.arguments_max = 1,
		.run = cmd_logout_run,
	},
	{
		.name = "whoami",
		.usage = "[GATEWAY-OR-DESTINATION]",
		.summary = "show who is logged in",
		.description =
			"Asks the gateway who the stored login belongs to: e-mail address, id, groups, and when\n"
			"it ends. Who is not logged in is not asked to; the exit status is 3 then.",
		.option_groups = OPTION_GROUP_GATEWAY | OPTION_GROUP_TLS |
				 OPTION_GROUP_SERVICE_ACCOUNT | OPTION_GROUP_JSON,
		.arguments_max = 1,
		.run = cmd_whoami_run,
	},
	{
		.name = "routes",
		.usage = "list [SERVER-URL]",
		.summary = "list what the gateway lets you use",
		.description =
			"Prints the routes that are open to you at the gateway SERVER-URL (https://host[:port]);\n"
			"without one, at the gateway that was used last.",
		.option_groups = OPTION_GROUP_JSON | GROUPS_OF_USER,
		.arguments_min = 1,
		.arguments_max = 2,
		.run = cmd_routes_run,
	},
	{
		.name = "auth",
		.usage = "SERVER-URL",
		.summary = "print a token for the gateway",
		.description =
			"Signs in at the gateway SERVER-URL (https://host[:port]) unless you are already, and prints\n"
			"the token on standard output. It is a secret: whoever has it is you.",
		.option_groups = GROUPS_OF_USER,
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cmd_auth_run,
	},
	{
		.name = "check",
		.usage = "DESTINATION",
		.summary = "find out where the way to a destination ends",
		.description =
			"Goes the way of a tunnel step by step (proxy, name, address, TLS, gateway, route, login,\n"
			"policy, upstream) and says how far one gets. Never starts a login; a tunnel that opens\n"
			"is closed at once. The exit status is that of a tunnel that fails there.",
		.option_groups = OPTION_GROUP_GATEWAY | OPTION_GROUP_TLS |
				 OPTION_GROUP_SERVICE_ACCOUNT | OPTION_GROUP_JSON,
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cmd_check_run,
	},
	{
		.name = "k8s",
		.usage = "exec-credential|flush-credentials [SERVER-URL]",
		.summary = "log in for kubectl",
		.description =
			"exec-credential prints a token for the gateway SERVER-URL as kubectl wants it from a\n"
			"credential plugin; flush-credentials forgets the login for it, or all logins.",
		.option_groups = GROUPS_OF_USER,
		.arguments_min = 1,
		.arguments_max = 2,
		.run = cmd_k8s_run,
	},
	{
		.name = "ssh-config",
		.usage = "PATTERN...",
		.summary = "print a block for ~/.ssh/config",
		.description =
			"Prints the Host block that lets ssh reach the hosts of a pattern, like '*.corp.example.com',\n"
			"through this program. Flags become part of its command; tokens do not.",
		.option_groups = OPTION_GROUP_GATEWAY | GROUPS_OF_USER,
		.arguments_min = 1,
		.arguments_max = OPTIONS_ARGUMENTS_MAX,
		.run = cmd_ssh_config_run,
	},
	{
		.name = "cache",
		.usage = "clear|location",
		.summary = "forget the stored logins, or show where they are",
		.description =
			"clear removes the stored logins from this machine; location prints the "
			"directory they are in.",
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cmd_cache_run,
	},
	{
		.name = "version",
		.usage = "",
		.summary = "show the version",
		.description = "Prints the version of the program.",
		.run = cmd_version_run,
	},
	{
		.name = "completion",
		.usage = "bash|zsh|fish",
		.summary = "print a script that lets a shell complete",
		.description =
			"Prints a script for the shell to read: in ~/.bashrc, source <(pomerium-cli completion bash).",
		.arguments_min = 1,
		.arguments_max = 1,
		.run = cmd_completion_run,
	},
	{
		.name = "help",
		.usage = "[COMMAND]",
		.summary = "show the help of a command",
		.description = "Shows the help of the program or of a command.",
		.arguments_max = 1,
		.run = cmd_help_run,
	},
};

const struct program the_program = { .commands = commands, .command_count = ARRAY_LEN(commands) };
