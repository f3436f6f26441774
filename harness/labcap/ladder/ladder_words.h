/* ladder_words.h - what the arrow of a packet says, from the fullest wording to the shortest. */
#ifndef LABCAP_LADDER_WORDS_H
#define LABCAP_LADDER_WORDS_H

#include "ladder_say.h"

/* Each sets row's wordings. A segment is told by its label, its payload, or else by what it
 * acknowledges; a step of the teardown also by its own number. */
void word_row(struct ladder_row *row, const struct segment_record *segment);

/* `fragments` is 0 where it came in one packet. */
void word_datagram(struct ladder_row *row, uint32_t bytes, uint32_t fragments);

/* An ICMP message: its label, or less. */
void word_unreachable(struct ladder_row *row);

#endif
