/* table_size.h - how large a table or a buffer is, or is at first.
 *
 * A fuzzer has them made and cleared thousands of times a second, for inputs of a few KiB. Its
 * builds have small ones, which are also sooner full. */
#ifndef LABCAP_TABLE_SIZE_H
#define LABCAP_TABLE_SIZE_H

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define TABLE_SIZE(usual, fuzzed) (fuzzed)
#else
#define TABLE_SIZE(usual, fuzzed) (usual)
#endif

#endif
