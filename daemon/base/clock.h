/* The clocks. Deadlines that outlive the process are wall-clock ms since 1970; waiting for answers
 * is measured on the monotonic clock, which stands still while the machine sleeps; how old
 * something is that the rest of the world goes on changing, on one that does not. model/ never
 * calls these: it is given the time. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_wall_ms(void);
int64_t clock_mono_ms(void);
int64_t clock_mono_us(void); /* the same, for what takes no ms */
int64_t clock_boot_ms(void); /* monotonic, and counts the time that the machine sleeps */

#endif
