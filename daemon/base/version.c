/* The one file that is compiled again when the version changes. */
#include "base/version.h"

#ifndef AIRIS_VERSION
#define AIRIS_VERSION "0.0.0-unknown"
#endif

const char *
version_text(void)
{
	return AIRIS_VERSION;
}
