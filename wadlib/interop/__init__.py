"""Other people's formats: COCO, the Kaggle submission, KITTI-MOTS."""
