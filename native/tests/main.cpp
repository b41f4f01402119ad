/* SPDX-License-Identifier: Apache-2.0 */
/* The main program of every native test: `test_x [part of a test's name]`. */
#include "tests/check.h"

using namespace ez_rknn::tests;

int main(int argc, char **argv) {
    return check::run_all_tests(argc > 1 ? argv[1] : "") == 0 ? 0 : 1;
}
