/* json.h - JSON output to stdout. */
#ifndef LABCAP_JSON_H
#define LABCAP_JSON_H

#include "fields.h"

/* Prints the table's fields of one subject as an object and a newline. */
void json_object(const struct field_table *table, const struct subject *of);

/* Single values: seconds with nine decimals; a string in quotes, whatever bytes it has. */
void json_count(uint64_t count);
void json_seconds(int64_t ns);
void json_string(const char *text);

#endif
