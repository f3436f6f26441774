/* rules.h - all rules of one network. */
#ifndef LABWIRE_RULES_H
#define LABWIRE_RULES_H

#include "rule.h"

enum { RULES_TEXT_MAX = 1400 }; /* characters of all rules, so that one frame can tell them */

struct rules {
    struct rule *list;
    size_t count;
    size_t length; /* of the texts, each with a newline */
};

/* Adds one. True, or false and a line on stderr says why. All zero bytes are no rules. */
bool rules_add(struct rules *rules, const char *text);

/* Adds those of stdin, one a line, up to an empty line. As rules_add(); the end of stdin ends
 * the program, as nobody wants a network any more. */
bool rules_read(struct rules *rules);

void rules_free(struct rules *rules);

#endif
