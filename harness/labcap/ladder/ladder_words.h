/* ladder_words.h - what the arrow of a segment says, from the fullest wording to the shortest. */
#ifndef LABCAP_LADDER_WORDS_H
#define LABCAP_LADDER_WORDS_H

#include "ladder_say.h"

/* Sets row's wordings, from its label and the segment's numbers. A segment is told by its payload, or
 * else by what it acknowledges; a step of the teardown also by its own number. */
void word_row(struct ladder_row *row, const struct segment_record *segment);

/* Adds a wording that is one text, of LADDER_PART_MAX - 1 bytes at most. */
void word_whole(struct ladder_row *row, const char *text);

#endif
