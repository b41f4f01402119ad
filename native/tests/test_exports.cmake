# SPDX-License-Identifier: Apache-2.0
# Checks that the engine's library exports the functions of its headers, and nothing else.
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL " [A-Z] [^\n@]+" exported "${symbols}")
list(TRANSFORM exported REPLACE "^ [A-Z] " "")

set(declared "")
foreach(header ez_rknn_engine.h ez_rknn_kernels.h)
  file(STRINGS ${INCLUDE}/${header} lines REGEX "^[a-z].* \\*?ezr_[a-z_]+\\(")
  list(TRANSFORM lines REPLACE "^.* \\*?(ezr_[a-z_]+)\\(.*$" "\\1")
  list(APPEND declared ${lines})
endforeach()

list(SORT exported)
list(SORT declared)
list(LENGTH declared count)
if(count EQUAL 0 OR NOT exported STREQUAL declared)
  message(FATAL_ERROR "declared: ${declared}\nexported: ${exported}")
endif()
message(STATUS "${count} functions: ${exported}")
