/* messages.c - see messages.h. */
#include "messages.h"

#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ladder_text.h"
#include "memory.h"

enum { ESCAPED = 4, ROOM = 32 }; /* bytes that one becomes; what plain_text() keeps free */

char *printable(const char *text)
{
    size_t size = strlen(text) * ESCAPED + ROOM;
    char *plain = need(malloc(size));

    setlocale(LC_CTYPE, "");
    plain_text(plain, size, text, INT_MAX, strcmp(nl_langinfo(CODESET), "UTF-8") == 0);
    return plain;
}

void message(const char *format, ...)
{
    char *text = NULL, *plain;
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(&text, format, arguments) < 0)
        text = NULL;
    va_end(arguments);
    plain = printable(need(text));
    fprintf(stderr, "%s\n", plain);
    free(plain);
    free(text);
}

/* getopt writes to `stderr` as it is at the moment: into memory here. */
int next_option(int argc, char **argv, const char *letters, const struct option *names)
{
    FILE *terminal = stderr, *memory;
    char *said = NULL;
    size_t length = 0;
    int option;

    memory = need(open_memstream(&said, &length));
    stderr = memory;
    option = getopt_long(argc, argv, letters, names, NULL);
    stderr = terminal;
    fclose(memory);
    if (said != NULL && length > 0) {
        said[length - 1] = '\0'; /* the newline */
        message("%s", said);
    }
    free(said);
    return option;
}
