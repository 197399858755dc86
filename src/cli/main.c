#include "cli/command.h"
#include "cli/platform.h"

int main(int argc, char **argv)
{
	platform_keep_standard_descriptors();
	return (int)program_run(&the_program, argc, argv);
}
