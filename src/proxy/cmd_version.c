#include <stdio.h>

#include "proxy/commands.h"

int command_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	(void)printf("pomerium version %s\n", POMERIUM_VERSION);
	return 0;
}
