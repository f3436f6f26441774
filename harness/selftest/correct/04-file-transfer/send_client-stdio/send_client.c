/* stdio for all; writes under the name itself, and removes the file where that goes wrong. */
#include "send_setup.h"

static void give_up(const char *name, const char *what)
{
    int why = errno;

    unlink(name);
    errno = why;
    fail(what);
}

int main(int argc, char *argv[])
{
    const char *own_name;
    char line[257], part[7000];
    size_t n;
    FILE *from = fdopen(open_connection(argc, argv, &own_name), "r");

    if (from == NULL || fgets(line, sizeof line, from) == NULL)
        refuse("no name came");
    char *end = strchr(line, '\n');
    if (end == NULL)
        refuse("a name without an end");
    *end = '\0';
    const char *name = own_name != NULL ? own_name : line;
    if (own_name == NULL && !is_own_name(name))
        refuse("a name that is none");

    FILE *to = fopen(name, "w");
    if (to == NULL)
        fail(name);
    while ((n = fread(part, 1, sizeof part, from)) > 0)
        if (fwrite(part, 1, n, to) < n)
            give_up(name, name);
    if (ferror(from))
        give_up(name, "connection");
    if (fclose(to) == EOF)
        give_up(name, name);
    return 0;
}
