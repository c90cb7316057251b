/* The version of the program, from the file VERSION at build time. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

const char *version_text(void); /* such as "0.1.0" */

#endif
