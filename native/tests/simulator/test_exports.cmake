# SPDX-License-Identifier: Apache-2.0
# Checks that the simulated librknnrt.so exports the functions of its two headers and nothing else; and that it has
# no soname, by which a loader could take it for the vendor's.
execute_process(COMMAND ${NM} -D --defined-only ${LIBRARY} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL " [A-Z] [^\n@]+" exported "${symbols}")
list(TRANSFORM exported REPLACE "^ [A-Z] " "")

set(declared "")
foreach(header ${HEADERS})
  file(STRINGS ${header} lines REGEX "^[a-z].* \\*?(rknn|ez_rknn)_[a-z0-9_]+\\(")
  list(TRANSFORM lines REPLACE "^.* \\*?(ez_rknn_[a-z0-9_]+|rknn_[a-z0-9_]+)\\(.*$" "\\1")
  list(APPEND declared ${lines})
endforeach()

list(SORT exported)
list(SORT declared)
list(LENGTH declared count)
if(count LESS 20 OR NOT exported STREQUAL declared)
  message(FATAL_ERROR "declared: ${declared}\nexported: ${exported}")
endif()

execute_process(COMMAND ${OBJDUMP} -p ${LIBRARY} OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
if(headers MATCHES "SONAME")
  message(FATAL_ERROR "the library has a soname")
endif()
message(STATUS "${count} functions: ${exported}")
