# Helpers of the build. One function per kind of thing that we build.

set(MIXWRIGHT_WARNINGS -Wall -Wextra -Wno-unused-parameter)
if(MIXWRIGHT_WERROR)
  list(APPEND MIXWRIGHT_WARNINGS -Werror)
endif()

function(mixwright_common_options name)
  target_compile_options(${name} PRIVATE ${MIXWRIGHT_WARNINGS})
  # Programs and libraries share one precompiled header, so all are compiled alike.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  if(MIXWRIGHT_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=${MIXWRIGHT_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${name} PUBLIC -fsanitize=${MIXWRIGHT_SANITIZE})
  endif()
endfunction()

# A precompiled cmake/pch.h from outside this build tree, made with the same flags: then a compiler cache
# can serve several trees. Empty: each tree makes its own.
set(MIXWRIGHT_SHARED_PCH "" CACHE FILEPATH "Precompiled header to use instead of making one")

function(mixwright_use_pch name)
  if(MIXWRIGHT_SHARED_PCH)
    target_compile_options(${name} PRIVATE -include-pch ${MIXWRIGHT_SHARED_PCH})
  else()
    target_precompile_headers(${name} REUSE_FROM MixwrightPCH)
  endif()
endfunction()

# A library of the compiler: static, sees MLIR, shares the precompiled header.
#   mixwright_library(<name> SOURCES <cpp>... [LIBS <lib>...])
function(mixwright_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  mixwright_common_options(${name})
  mixwright_use_pch(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LIBS})
  add_dependencies(${name} MixwrightTableGen)
endfunction()

# A program of the compiler. STATIC: holds its own LLVM and MLIR, so that it starts in a fraction of
# the time that loading their shared libraries takes; others share those.
#   mixwright_tool(<name> [STATIC] SOURCES <cpp>... [LIBS <lib>...])
function(mixwright_tool name)
  cmake_parse_arguments(ARG "STATIC" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  mixwright_common_options(${name})
  mixwright_use_pch(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS})
  if(ARG_STATIC)
    mixwright_link_static_llvm(${name})
  else()
    target_link_libraries(${name} PRIVATE MLIR LLVM)
  endif()
  add_dependencies(${name} MixwrightTableGen)
endfunction()

# The static libraries of LLVM and MLIR. The package's MLIR libraries name LLVM's shared library as a
# dependency; a program that has both would have every global of LLVM twice.
function(mixwright_link_static_llvm name)
  foreach(library ${MLIR_EXPORTED_TARGETS})
    if(TARGET ${library})
      get_target_property(needs ${library} INTERFACE_LINK_LIBRARIES)
      if(needs)
        list(REMOVE_ITEM needs LLVM)
        set_target_properties(${library} PROPERTIES INTERFACE_LINK_LIBRARIES "${needs}")
      endif()
    endif()
  endforeach()
  llvm_map_components_to_libnames(llvm_libraries
    ${LLVM_NATIVE_ARCH} aarch64codegen aarch64desc aarch64info x86codegen x86desc x86info
    amdgpucodegen amdgpudesc amdgpuinfo nvptxcodegen nvptxdesc nvptxinfo bitreader bitwriter
    core debuginfodwarf irreader linker option orcjit passes plugins support target targetparser)
  target_link_libraries(${name} PRIVATE
    MLIRAffineToStandard MLIRArithToLLVM MLIRArithTransforms MLIRBuiltinToLLVMIRTranslation
    MLIRControlFlowToLLVM MLIRFuncToLLVM MLIRIndexToLLVM MLIRLinalgTransforms
    MLIRLLVMToLLVMIRTranslation MLIRMathToLLVM MLIRParser MLIRSCFToControlFlow MLIRTransforms
    MLIRUBToLLVM MLIRVectorToLLVM MLIRVectorTransforms MLIRTargetLLVMIRExport
    $<TARGET_FILE:LLVMLTO> $<TARGET_FILE:LLVMDTLTO> ${llvm_libraries})
  set(absent ${CMAKE_BINARY_DIR}/AbsentOfLinker.cpp)
  mixwright_absent_of_linker(${absent} AArch64 AMDGPU NVPTX X86)
  target_sources(${name} PRIVATE ${absent})
  # A program at a fixed address has nothing to relocate when it starts.
  target_link_options(${name} PRIVATE -no-pie -static-libstdc++ -static-libgcc -Wl,--as-needed -Wl,--gc-sections)
endfunction()

# What LLVM's linker refers to and a program with static libraries lacks: it makes all of LLVM's targets
# ready, and its link-time optimizer registers Polly, in case that some object is bitcode. Ours are machine
# code. Writes a file that defines these functions as ones that do nothing.
#   mixwright_absent_of_linker(<file> <target of LLVM that is there>...)
function(mixwright_absent_of_linker file)
  set(text "#include \"llvm/Plugins/PassPlugin.h\"\n"
           "llvm::PassPluginLibraryInfo getPollyPluginInfo() { return {}; }\n")
  foreach(target ${LLVM_TARGETS_TO_BUILD})
    set(parts AsmParser)
    if(NOT target IN_LIST ARGN)
      list(APPEND parts TargetInfo Target TargetMC AsmPrinter)
    endif()
    foreach(part ${parts})
      string(APPEND text "extern \"C\" void LLVMInitialize${target}${part}() {}\n")
    endforeach()
  endforeach()
  file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
endfunction()

# A GoogleTest program. Goes to the folder that lit searches for unit tests; the
# name must end in Test.
#   mixwright_unit_test(<name> SOURCES <cpp>... [LIBS <lib>...])
function(mixwright_unit_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  mixwright_common_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LIBS} GTest::gtest_main)
  set_target_properties(${name} PROPERTIES
    RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/test/unit)
  set_property(GLOBAL APPEND PROPERTY MIXWRIGHT_TEST_DEPENDS ${name})
endfunction()

# A page of docs/generated/, written by `ninja docs`. The pages are committed, and
# test/docs.test fails if one is not current.
#   mixwright_doc(<page> <.td file> <mlir-tblgen option>...)
function(mixwright_doc page source)
  set(target doc-${page})
  add_custom_target(${target}
    COMMAND mlir-tblgen "-I$<JOIN:${MLIR_INCLUDE_DIRS},;-I>" -I${PROJECT_SOURCE_DIR} ${ARGN}
            ${PROJECT_SOURCE_DIR}/${source} -o ${PROJECT_SOURCE_DIR}/docs/generated/${page}.md
    COMMAND_EXPAND_LISTS VERBATIM)
  if(NOT TARGET docs)
    add_custom_target(docs)
  endif()
  add_dependencies(docs ${target})
endfunction()
