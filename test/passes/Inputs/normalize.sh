# normalize.sh FOLDER: for every .mix file of the folder, in order, prints its name, its normal
# forms with types shortened to axes (`[t:T,K]`), and the result of the comparison of L1 with L2
# on random inputs. A line `# evaluate: ...` of the file gives more options of mix-evaluate.
set -e -o pipefail
for file in "$1"/*.mix; do
  name=$(basename "$file" .mix)
  echo "== $name"
  mix-translate --locations "$file" > "$1/$name.l1.mlir"
  mix-opt --mix-normalize "$1/$name.l1.mlir" -o "$1/$name.l2.mlir"
  grep -oE 'mix\.(affine_scan|streamed_reduction|softmax|for|prefix) .*' "$1/$name.l2.mlir" |
    sed -E 's/tensor<[^#>]*, #mix\.axes<\[([^]]*)\]>>/[\1]/g; s/tensor<[^>]*>/[]/g
            s/"//g; s/mix\.//; s/class  /class /; s,at [^ ]*/,at ,g; s/%[A-Za-z0-9_#]+/%/g' || true
  options=$(sed -n 's,^// evaluate: ,,p' "$file")
  mix-evaluate "$1/$name.l1.mlir" --against "$1/$name.l2.mlir" --seed 5 \
    --size T=0,K=3,V=2,M=2,D=2,N=3,H=2,L=1,E=3,P=2,W=2 --size T=13,K=5,V=4,M=3,D=3,N=2,H=3,L=17,E=4,P=3,W=3 $options | tail -n 1
done
