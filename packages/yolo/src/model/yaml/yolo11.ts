// YOLO11 for detection, as model text: scales, then rows [from, repeats, block, arguments].

/** The text of yolo11.yaml. */
export const yolo11 = `# YOLO11 detection model. nc is replaced by the number of classes of the data set.
nc: 80
scales: # [depth, width, largest number of channels]
  n: [0.50, 0.25, 1024]
  s: [0.50, 0.50, 1024]
  m: [0.50, 1.00, 512]
  l: [1.00, 1.00, 512]
  x: [1.00, 1.50, 512]

backbone: # [from, repeats, block, arguments]
  - [-1, 1, Conv, [64, 3, 2]] # 0, stride 2
  - [-1, 1, Conv, [128, 3, 2]] # 1, stride 4
  - [-1, 2, C3k2, [256, false, 0.25]]
  - [-1, 1, Conv, [256, 3, 2]] # 3, stride 8
  - [-1, 2, C3k2, [512, false, 0.25]]
  - [-1, 1, Conv, [512, 3, 2]] # 5, stride 16
  - [-1, 2, C3k2, [512, true]]
  - [-1, 1, Conv, [1024, 3, 2]] # 7, stride 32
  - [-1, 2, C3k2, [1024, true]]
  - [-1, 1, SPPF, [1024, 5]] # 9
  - [-1, 2, C2PSA, [1024]] # 10

head:
  - [-1, 1, Upsample, [null, 2, nearest]] # 11, stride 16
  - [[-1, 6], 1, Concat, [1]]
  - [-1, 2, C3k2, [512, false]] # 13
  - [-1, 1, Upsample, [null, 2, nearest]] # 14, stride 8
  - [[-1, 4], 1, Concat, [1]]
  - [-1, 2, C3k2, [256, false]] # 16: small objects
  - [-1, 1, Conv, [256, 3, 2]] # 17, stride 16
  - [[-1, 13], 1, Concat, [1]]
  - [-1, 2, C3k2, [512, false]] # 19: medium objects
  - [-1, 1, Conv, [512, 3, 2]] # 20, stride 32
  - [[-1, 10], 1, Concat, [1]]
  - [-1, 2, C3k2, [1024, true]] # 22: large objects
  - [[16, 19, 22], 1, Detect, [nc]]
`;
