/* ladder_words.h - what the arrow of a segment says, from the fullest wording to the shortest. */
#ifndef LABCAP_LADDER_WORDS_H
#define LABCAP_LADDER_WORDS_H

#include <stddef.h>

#include "ladder_say.h"

/* A text that grows; what does not fit is left out. */
struct growing {
    char *text;
    size_t used, size;
};

void text_add(struct growing *growing, const char *text);

/* Sets row->texts, from row->label and the segment's numbers. A segment is told by its payload, or
 * else by what it acknowledges; a step of the teardown also by its own number. */
void word_row(struct ladder_row *row, const struct segment_record *segment);

#endif
