/* operands.c - see operands.h. */
#include "operands.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "messages.h"
#include "trace.h"

char *join_words(char *const *words, int count_of)
{
    size_t size = 1;
    char *text, *end;

    if (count_of <= 0)
        return NULL;
    for (int i = 0; i < count_of; i++)
        size += strlen(words[i]) + 1;
    text = end = need(malloc(size));
    for (int i = 0; i < count_of; i++)
        end += sprintf(end, "%s%s", i > 0 ? " " : "", words[i]);
    return text;
}

static size_t without(const char *word, size_t length, const char *ending)
{
    size_t size = strlen(ending);

    return length > size && memcmp(word + length - size, ending, size) == 0 ? length - size
                                                                             : length;
}

/* How long the name is without what makes it a trace's; 0 where it is none. */
static size_t stem_length(const char *word)
{
    static const char *const packings[] = {".gz", ".zst"};
    static const char *const endings[] = {".pcap", ".pcapng", ".cap"};
    size_t length = strlen(word), whole = length;

    for (size_t i = 0; i < sizeof packings / sizeof *packings && length == whole; i++)
        length = without(word, length, packings[i]);
    while (length > 0 && isdigit((unsigned char)word[length - 1]))
        length--;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (without(word, length, endings[i]) != length)
            return without(word, length, endings[i]);
    return 0;
}

static bool is_trace_name(const char *word)
{
    return strcmp(word, "-") == 0 || stem_length(word) > 0;
}

char *operands_beside(const char *file, const char *ending)
{
    size_t length = stem_length(file), size = strlen(ending) + 1;
    char *name = NULL;

    if (length > 0) {
        name = need(malloc(length + size));
        memcpy(name, file, length);
        memcpy(name + length, ending, size);
    }
    return name;
}

void operands_split(struct operands *operands, char *const *words, int count,
                    const char *filter)
{
    int files = 1;

    while (files < count && (filter != NULL || is_trace_name(words[files])))
        files++;
    *operands = (struct operands){.files = words, .file_count = files};
    operands->filter = filter != NULL ? need(strdup(filter))
                                      : join_words(words + files, count - files);
}

void operands_free(struct operands *operands)
{
    free(operands->filter);
    operands->filter = NULL;
}

static void print_heading(const char *file, bool first)
{
    char *name = printable(file);

    printf("%s==> %s <==\n", first ? "" : "\n", name);
    free(name);
}

int operands_each(const struct operands *operands, bool heading,
                  int (*each)(void *context, const char *file), void *context)
{
    int worst = EXIT_MET;

    for (int i = 0; i < operands->file_count && !ferror(stdout); i++) {
        int status;

        if (heading && operands->file_count > 1)
            print_heading(operands->files[i], i == 0);
        status = each(context, operands->files[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}
