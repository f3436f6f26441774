/* json.h - flat JSON output to stdout. */
#ifndef LABCAP_JSON_H
#define LABCAP_JSON_H

#include "fields.h"

/* Prints the table's fields of one subject as an object and a newline. */
void json_object(const struct field_table *table, const struct subject *of);

#endif
