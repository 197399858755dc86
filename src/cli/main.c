#include <stdio.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/client.h"
#include "cli/command.h"
#include "cli/platform.h"

int main(int argc, char **argv)
{
	enum exit_status status;
	struct err e;

	platform_keep_standard_descriptors();
	mem_forbid_core_files();
	status = program_run(&the_program, argc, argv);
	if (file_finish_output(stdout, &e) < 0 && status == EXIT_STATUS_OK)
		status = client_complain(EXIT_STATUS_OTHER, &e);
	return (int)status;
}
