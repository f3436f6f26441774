/* ladder_ordinary.h - which rows are of the many that may be folded away. */
#ifndef LABCAP_LADDER_ORDINARY_H
#define LABCAP_LADDER_ORDINARY_H

#include <stdbool.h>
#include <stdint.h>

#include "ladder_strand.h"

/* To be asked once for each row, in order: what is remarkable is remarkable for so many times only
 * in each flow. Segments behind `points_from` are judged by what became of them, too. Where flows
 * are merged, a flow's first data is remarkable: a phase of it begins there. */
bool row_is_ordinary(struct row *row, uint64_t points_from, bool merged);

#endif
