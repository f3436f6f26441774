/* bound.h - how much is kept of something, how large a table or a buffer is, or is at first.
 *
 * A fuzzer has tables made and cleared thousands of times a second, and gives inputs of a few KiB.
 * Its builds have low bounds: what happens beyond them is seen too, and clearing costs little. */
#ifndef LABCAP_BOUND_H
#define LABCAP_BOUND_H

#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define BOUND(usual, fuzzed) (fuzzed)
#else
#define BOUND(usual, fuzzed) (usual)
#endif

#endif
